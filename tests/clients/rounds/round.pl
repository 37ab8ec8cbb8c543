# Mail::IMAPClient: arguments host port mode(plain|starttls|tls) user password
use strict; use warnings; use Mail::IMAPClient;
my ($host, $port, $mode, $user, $password) = @ARGV;
my @tls = $mode eq 'tls' ? (Ssl => [SSL_verify_mode => 0]) : $mode eq 'starttls' ? (Starttls => [SSL_verify_mode => 0]) : ();
my $c = Mail::IMAPClient->new(Server => $host, Port => $port, User => $user, Password => $password, Uid => 1, Peek => 1, @tls) or die "log-in: $@";
my @folders = $c->folders;
$c->select('nasty') or die $@;
my @messages = $c->messages;
my $data = $c->fetch_hash('FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE');
die 'fetch_hash' unless keys %$data == @messages;
for my $m (@messages) {
    my ($text, $size) = ($c->message_string($m), $c->size($m));
    die "size of $m" unless defined $text && length($text) == $size;
    $c->get_bodystructure($m) or die "structure of $m";
    $c->get_envelope($m) or die "envelope of $m";
    $c->parse_headers($m, 'Subject', 'From') or die "header of $m";
}
die 'search' unless join(',', $c->search('SUBJECT', 'many')) eq '10';
my $name = "perl \\ \"$mode\"";
$c->create($name) or die $@;
my $uid = $c->append_string($name, "Subject: p\r\n\r\nx\r\n", '\Seen $k', '01-Jan-2020 00:00:00 +0000') or die $@;
$c->select($name) or die $@;
$c->set_flag('\\Flagged', $uid) or die $@;
my %flags = map { $_ => 1 } $c->flags($uid);
die 'flags' unless $flags{'\\Flagged'} && $flags{'\\Seen'} && $flags{'$k'};
$c->copy('target', $uid) or die $@;
$c->move('target', $uid) or die $@;
$c->expunge;
die 'moved' unless $c->message_count == 0;
my $idle = $c->idle or die $@;
$c->done($idle) or die $@;
$c->close;
$c->rename($name, $name . '2') or die $@;
$c->delete($name . '2') or die $@;
$c->logout;
print 'folders ', scalar(@folders), ' messages ', scalar(@messages), "\n";
