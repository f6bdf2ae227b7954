"""Stores, reads, moves and waits with IMAPClient; whatever is not as it was ends it."""
import sys

from imapclient import IMAPClient, DELETED, FLAGGED

host, port = "127.0.0.1", int(sys.argv[1])


def login():
    client = IMAPClient(host, port=port, ssl=False)
    client.login("jane@example.org", "Secret123")
    return client


client = login()
names = ["Über & Co", "a/b/c/d/e", 'with "quotes"', "back\\slash", "日本語/フォルダ", "&-odd", "in  between"]
for name in names:
    client.create_folder(name)
found = {name for _, _, name in client.list_folders()}
assert found >= set(names), found
assert client.find_special_folder(b"\\Sent") == "Sent"

messages = []
for number in range(200):
    body = bytes((number * 7 + at * 31) % 255 + 1 for at in range(number * 11)).replace(b"\r", b"").replace(b"\n", b"\r\n")
    messages.append(b"Subject: number %d\r\nMessage-ID: <%d@x>\r\n\r\n" % (number, number) + body)
for number, message in enumerate(messages):
    client.append(names[0], message, flags=[b"\\Seen"] if number % 3 == 0 else [b"$x"])
selected = client.select_folder(names[0])
assert selected[b"EXISTS"] == len(messages), selected
uids = client.search("ALL")
fetched = client.fetch(uids, ["BODY.PEEK[]", "FLAGS", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE"])
for number, uid in enumerate(sorted(uids)):
    one = fetched[uid]
    assert one[b"BODY[]"] == messages[number], number
    assert one[b"RFC822.SIZE"] == len(messages[number]), number
    assert one[b"FLAGS"] == ((b"\\Seen",) if number % 3 == 0 else (b"$x",)), one[b"FLAGS"]
    assert one[b"ENVELOPE"].subject == b"number %d" % number

client.move(uids[:10], names[4])
client.add_flags(uids[10:20], [DELETED])
client.add_flags(uids[20:30], [FLAGGED], silent=True)
client.expunge()
assert client.search(["FLAGGED"]) == uids[20:30]
assert client.search(["SUBJECT", "number 199"]) == [uids[199]]
assert client.sort("REVERSE SIZE")[0] == uids[199]
assert client.folder_status(names[4])[b"MESSAGES"] == 10
assert client.folder_status(names[0])[b"MESSAGES"] == 180

client.idle()
other = login()
other.append(names[0], b"Subject: new\r\n\r\n")
assert client.idle_check(timeout=30) == [(181, b"EXISTS")]
client.idle_done()
client.rename_folder("a/b", "z")
client.delete_folder("z/c/d/e")
assert "z/c/d" in {name for _, _, name in client.list_folders()}
other.logout()
client.logout()
