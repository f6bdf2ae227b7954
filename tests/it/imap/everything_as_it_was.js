// Stores, reads, moves, searches and waits with ImapFlow; whatever is not as it was ends it.
const assert = require('node:assert');
const { once } = require('node:events');
const { ImapFlow } = require(process.env.LIBRARY);

const port = Number(process.argv[2]);

async function login(options = {}) {
    const auth = { user: 'jane@example.org', pass: 'Secret123' };
    const client = new ImapFlow({ host: '127.0.0.1', port, secure: false, doSTARTTLS: false, auth, logger: false, ...options });
    await client.connect();
    return client;
}

function message(number) {
    // Every octet but NUL, CR and LF, and lines of several lengths.
    const body = Buffer.from(Array.from({ length: number * 37 }, (_, at) => ((number * 7 + at * 31) % 255) + 1));
    for (let at = 0; at < body.length; at++) {
        if (body[at] === 10 || body[at] === 13) body[at] = 32;
    }
    const mixed = [
        `Subject: number ${number}`, `Message-ID: <${number}@x>`, `From: "J\u00e4ne" <jane@example.org>`, 'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: text/plain; charset=utf-8', '', `caf\u00e9 ${number}`,
        '--b', 'Content-Type: application/octet-stream; name=data', 'Content-Transfer-Encoding: base64', '',
        body.toString('base64').replace(/.{76}/g, '$&\r\n'), '--b--', '',
    ].join('\r\n');
    return { source: Buffer.from(mixed), body };
}

async function main() {
    const client = await login({ qresync: true });
    const names = ['\u00dcber & Co', 'a/b/c/d/e', 'with "quotes"', 'back\\slash', '\u65e5\u672c\u8a9e/\u30d5\u30a9\u30eb\u30c0', '&-odd', 'in  between'];
    for (const name of names) {
        assert.equal((await client.mailboxCreate(name)).created, true, name);
    }
    const listed = await client.list({ statusQuery: { messages: true, unseen: true } });
    for (const name of names) {
        assert.equal(listed.find(entry => entry.path === name).status.messages, 0, name);
    }
    assert.equal(listed.find(entry => entry.specialUse === '\\Sent').path, 'Sent');
    assert.equal((await client.getQuota('INBOX')).path, 'INBOX');

    const [home, away] = [names[0], names[4]];
    const messages = Array.from({ length: 60 }, (_, number) => message(number));
    const date = new Date('2026-03-04T05:06:07Z');
    for (const [number, { source }] of messages.entries()) {
        const appended = await client.append(home, source, number % 3 === 0 ? ['\\Seen'] : ['$x'], date);
        assert.equal(appended.uid, number + 1);
    }
    let mailbox = await client.mailboxOpen(home);
    assert.equal(mailbox.exists, messages.length);
    const wanted = { flags: true, size: true, envelope: true, bodyStructure: true, internalDate: true, source: true, threadId: true };
    const fetched = await client.fetchAll('1:*', wanted, { uid: true });
    assert.equal(fetched.length, messages.length);
    for (const [number, { source }] of messages.entries()) {
        const one = fetched[number];
        assert.ok(one.source.equals(source), `message ${number}`);
        assert.equal(one.size, source.length);
        assert.deepEqual([...one.flags], [number % 3 === 0 ? '\\Seen' : '$x']);
        assert.equal(one.internalDate.getTime(), date.getTime());
        assert.equal(one.envelope.subject, `number ${number}`);
        assert.equal(one.envelope.messageId, `<${number}@x>`);
        assert.deepEqual(one.bodyStructure.childNodes.map(node => node.type), ['text/plain', 'application/octet-stream']);
        assert.ok(one.emailId && one.threadId && one.modseq);
    }
    for (const number of [0, 7, 59]) {
        const part = await client.download(`${number + 1}`, '2', { uid: true, chunkSize: 500 });
        const chunks = [];
        for await (const chunk of part.content) chunks.push(chunk);
        assert.ok(Buffer.concat(chunks).equals(messages[number].body), `part of message ${number}`);
    }

    const moved = await client.messageMove('1:10', away, { uid: true });
    assert.equal(moved.uidMap.size, 10);
    await client.messageCopy('11:12', away, { uid: true });
    assert.equal((await client.status(away, { messages: true })).messages, 12);
    const before = client.mailbox.highestModseq;
    await client.messageFlagsAdd('21:30', ['\\Flagged', '$y'], { uid: true });
    await client.messageDelete('51:60', { uid: true });
    assert.deepEqual(await client.search({ flagged: true, keyword: '$y' }, { uid: true }), [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
    assert.deepEqual(await client.search({ subject: 'number 33', body: 'caf\u00e9' }, { uid: true }), [34]);
    const counted = await client.search({ all: true }, { uid: true, returnOptions: ['COUNT', 'MIN', 'MAX', 'ALL'] });
    assert.deepEqual([counted.count, counted.min, counted.max, counted.all], [40, 11, 50, '11:50']);
    const changed = await client.fetchAll('1:*', { flags: true }, { uid: true, changedSince: before });
    assert.deepEqual(changed.map(one => one.uid), [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);

    // Somebody else changes things while this one waits.
    const other = await login({ disableCompression: true });
    const exists = once(client, 'exists');
    const idling = client.idle();
    await other.append(home, 'Subject: new\r\n\r\n');
    assert.equal((await exists)[0].count, 41);
    const flags = once(client, 'flags');
    const expunged = once(client, 'expunge');
    await other.mailboxOpen(home);
    await other.messageFlagsAdd('11', ['\\Answered'], { uid: true });
    assert.ok((await flags)[0].flags.has('\\Answered'));
    await other.messageDelete('11', { uid: true });
    assert.equal((await expunged)[0].uid, 11);
    await client.noop();
    await idling;
    // Its own count leaves VANISHED out.
    assert.equal((await client.search({ all: true }, { uid: true })).length, 40);

    await client.mailboxClose();
    await client.mailboxRename('a/b', 'z');
    await client.mailboxDelete('z/c/d/e');
    const left = (await client.list()).map(entry => entry.path);
    assert.ok(left.includes('z/c/d') && !left.includes('z/c/d/e'), left);
    await other.logout();
    await client.logout();
}

main().catch(error => {
    console.error(error);
    process.exit(1);
});
