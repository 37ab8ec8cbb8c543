<?php // c-client: arguments host port mode user password
[$self, $host, $port, $mode, $user, $password] = $argv;
$flags = ['plain' => 'notls', 'tls' => 'ssl/novalidate-cert'][$mode];
$server = '{' . "$host:$port/imap/$flags" . '}';
function must($value, $what) { if (!$value) { print_r(imap_errors()); exit("$what failed\n"); } return $value; }
$c = must(imap_open($server . 'nasty', $user, $password), 'open');
$folders = count(imap_list($c, $server, '*'));
$messages = imap_num_msg($c);
for ($i = 1; $i <= $messages; $i++) {
    $size = must(imap_headerinfo($c, $i), "header $i")->Size;
    must(imap_fetchstructure($c, $i), "structure $i");
    $text = imap_fetchheader($c, $i) . imap_body($c, $i, FT_PEEK);
    must(strlen($text) == $size, "size $i");
    imap_fetchbody($c, $i, '1', FT_PEEK);
    imap_fetchmime($c, $i, '1', FT_PEEK);
}
must(imap_search($c, 'SUBJECT "many"', 0, 'UTF-8') == [10], 'search');
must(count(imap_sort($c, SORTDATE, 0)) == $messages, 'sort');
must(imap_thread($c), 'thread');
must(count(imap_fetch_overview($c, '1:*')) == $messages, 'overview');
$name = 'php &AOk- "' . $mode . '" &-';
must(imap_createmailbox($c, $server . $name), 'create');
must(imap_append($c, $server . $name, "Subject: p\r\n\r\nx\r\n", '\\Seen'), 'append');
must(imap_status($c, $server . $name, SA_ALL)->messages == 1, 'status');
must(imap_reopen($c, $server . $name), 'reopen');
must(imap_setflag_full($c, '1', '\\Flagged'), 'store');
must(imap_mail_copy($c, '1', 'target'), 'copy');
must(imap_mail_move($c, '1', 'target'), 'move');
must(imap_expunge($c) && imap_num_msg($c) == 0, 'expunge');
must(imap_reopen($c, $server . 'INBOX'), 'inbox');
must(imap_renamemailbox($c, $server . $name, $server . $name . '2'), 'rename');
must(imap_deletemailbox($c, $server . $name . '2'), 'delete');
imap_errors();
imap_close($c);
echo "folders $folders messages $messages\n";
