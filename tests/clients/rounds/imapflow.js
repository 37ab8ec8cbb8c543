// ImapFlow: arguments host port mode user password
const { ImapFlow } = require('imapflow');
const [host, port, mode, user, pass] = process.argv.slice(2);
const errors = [];
const logger = { debug() {}, info() {}, warn() {}, error(entry) { errors.push(entry); } };
const make = () => {
    const options = { host, port: Number(port), secure: mode === 'tls', auth: { user, pass }, tls: { rejectUnauthorized: false }, logger };
    if (mode !== 'tls') options.doSTARTTLS = mode === 'starttls';
    return new ImapFlow(options);
};
const must = (good, what) => { if (!good) throw new Error(what); };
const event = (client, name) => new Promise(resolve => client.once(name, resolve));

async function read(client) {
    await client.mailboxOpen('nasty');
    const query = { uid: true, flags: true, bodyStructure: true, envelope: true, internalDate: true, size: true, headers: true, source: true };
    const uids = [];
    for await (const message of client.fetch('1:*', query)) {
        must(message.source.length === message.size, `size of ${message.uid}`);
        uids.push(message.uid);
    }
    for (const uid of uids) {
        const { content } = await client.download(String(uid), undefined, { uid: true });
        if (content) for await (const piece of content) must(piece.length, 'empty piece');
    }
    must((await client.fetchOne('10', { bodyStructure: true })).bodyStructure.childNodes.length === 300, 'parts');
    must(String(await client.search({ subject: 'many' }, { uid: true })) === '10', 'search');
    return uids.length;
}

async function work(client, other) {
    const name = `flow ${mode} ü&"x" \\`;
    await client.mailboxCreate(name);
    must((await client.append(name, 'Subject: one\r\n\r\nbody\r\n', ['\\Seen', '$Label1'], new Date('2020-02-03T04:05:06Z'))).uid === 1, 'append');
    await client.append(name, Buffer.from('Subject: 2\r\n\r\n\xff', 'latin1'));
    await client.mailboxOpen(name);
    must(await client.messageFlagsAdd('1:*', ['\\Flagged', '$Work']), 'flags');
    must(await client.messageFlagsSet('2', ['\\Answered']), 'flags');
    must((await client.messageCopy('1', 'target')).uidMap.size === 1, 'copy');
    must((await client.messageMove('1', 'target')).uidMap.size === 1, 'move');
    must((await client.status(name, { messages: true, highestModseq: true })).messages === 1, 'status');
    const exists = event(client, 'exists');
    client.idle();
    await other.append(name, 'Subject: idle\r\n\r\n');
    must((await exists).count === 2, 'idle');
    const expunge = event(client, 'expunge');
    client.idle();
    await other.mailboxOpen(name);
    await other.messageDelete('1:*');
    must((await expunge).seq === 2, 'expunge');
    await client.mailboxClose();
    await client.mailboxRename(name, name + '2');
    await client.mailboxDelete(name + '2');
}

(async () => {
    const [client, other] = [make(), make()];
    await client.connect();
    await other.connect();
    const folders = await client.list({ statusQuery: { messages: true, unseen: true, uidNext: true, highestModseq: true } });
    const messages = await read(client);
    await work(client, other);
    await other.logout();
    await client.logout();
    must(!errors.length, JSON.stringify(errors));
    console.log(`folders ${folders.length} messages ${messages}`);
})().catch(error => { console.error(error); process.exit(1); });
