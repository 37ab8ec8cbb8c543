# net/imap: arguments host port mode user password
require 'net/imap'
require 'openssl'
host, port, mode, user, password = ARGV
tls = { verify_mode: OpenSSL::SSL::VERIFY_NONE }
c = mode == 'tls' ? Net::IMAP.new(host, port: port.to_i, ssl: tls) : Net::IMAP.new(host, port: port.to_i)
c.starttls(tls) if mode == 'starttls'
c.authenticate('PLAIN', user, password)
folders = c.list('', '*')
folders.each { |f| Net::IMAP.decode_utf7(f.name) }
c.lsub('', '*')
c.select('nasty')
items = %w[UID FLAGS ENVELOPE BODYSTRUCTURE BODY INTERNALDATE RFC822.SIZE BODY.PEEK[] BODY.PEEK[TEXT] BODY.PEEK[1.MIME]]
messages = c.fetch(1..-1, items)
messages.each { |m| raise "size of #{m.seqno}" unless m.attr['BODY[]'].to_s.bytesize == m.attr['RFC822.SIZE'] }
raise 'parts' unless c.fetch(10, 'BODYSTRUCTURE')[0].attr['BODYSTRUCTURE'].parts.size == 300
raise 'search' unless c.search(%w[SUBJECT many]) == [10] && c.search(['SUBJECT', '8bit ä'.b], 'UTF-8') == [6]
name = Net::IMAP.encode_utf7("ruby #{mode} é\"\\&")
c.create(name)
c.append(name, "Subject: r\r\n\r\nx\r\n", [:Seen, '$k'], Time.now)
c.select(name)
raise 'flags' unless c.store(1, '+FLAGS', [:Flagged])[0].attr['FLAGS'].include?('$k')
c.copy(1, 'target')
c.uid_move(1, 'target')
raise 'status' unless c.status(name, %w[MESSAGES UIDNEXT]) == { 'MESSAGES' => 0, 'UIDNEXT' => 2 }
other = Net::IMAP.new(host, port: port.to_i, ssl: mode == 'tls' ? tls : false)
other.starttls(tls) if mode == 'starttls'
other.login(user, password)
told = nil
adder = Thread.new { other.append(name, "Subject: i\r\n\r\n") }
c.idle(10) do |r|
  if r.respond_to?(:name) && r.name == 'EXISTS'
    told = r.data
    c.idle_done
  end
end
adder.join
raise 'idle' unless told == 1 || c.noop && c.responses['EXISTS'].last == 1
c.close
c.delete(name)
[c, other].each { |s| s.logout; s.disconnect }
puts "folders #{folders.size} messages #{messages.size}"
