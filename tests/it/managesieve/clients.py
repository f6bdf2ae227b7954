"""What two client libraries do with a person's scripts. Arguments: port, user, password."""

import sys
import warnings

import managesieve
import sievelib.managesieve

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
GOOD = 'require ["fileinto"];\r\nif header :is "Subject" "é" {\r\n  fileinto "Archive";\r\n}\r\n'
warnings.simplefilter("ignore")


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"expected {wanted!r}, found {found!r}")


# managesieve: TLS, then each mechanism it knows.
for mechanism in ["PLAIN", "LOGIN"]:
    client = managesieve.MANAGESIEVE("127.0.0.1", port)
    expect(any(client.loginmechs), False)
    expect(client.starttls(verify=False)[0], "OK")
    expect(client.authenticate(mechanism, user, "Wrong9Horse"), "NO")
    expect(client.authenticate(mechanism, user, password), "OK")
    expect(client.havespace("one", 100), "OK")
    expect(client.havespace("one", 10_000_000), "NO")
    expect(client.response_code, "QUOTA/MAXSIZE")
    expect(client.putscript("one", GOOD), "OK")
    expect(client.putscript("broken", "keep;\r\nnonsense;\r\n"), "NO")
    expect(client.response_text.startswith("line 2, column 1: "), True)
    expect(client.putscript("odd", "stop;\r\nkeep;\r\n"), "OK")
    expect((client.response_code, client.response_text), ("WARNINGS", "line 2, column 1: this is never reached: line 1 is the end"))
    expect(client.setactive("one"), "OK")
    listed = client.listscripts()
    expect(listed[0], "OK")
    expect([entry for entry in listed[1] if not entry[0].startswith("posthouse:")], [("one", True), ("odd", False)])
    expect(client.getscript("one"), ("OK", GOOD))
    expect(client.deletescript("one"), "NO")
    expect(client.response_code, "ACTIVE")
    expect(client.setactive(""), "OK")
    expect(client.deletescript("one"), "OK")
    expect(client.deletescript("odd"), "OK")
    expect(client.getscript("one")[0], "NO")
    expect(client.response_code, "NONEXISTENT")
    client.logout()

# sievelib: the same over TLS that it verifies.
for mechanism in ["PLAIN", "LOGIN"]:
    client = sievelib.managesieve.Client("127.0.0.1", port, srvhostname="mail.example.org")
    expect(client.connect(user, password, starttls=True, authmech=mechanism), True)
    expect(client.get_implementation().startswith("posthouse"), True)
    expect("vacation" in client.get_sieve_capabilities(), True)
    expect(client.havespace("one", 100), True)
    expect(client.checkscript(GOOD), True)
    expect(client.checkscript("nonsense;\n"), False)
    expect(client.errmsg.startswith(b"line 1, column 1: "), True)
    expect(client.putscript("one", GOOD), True)
    expect(client.putscript("posthouse:active", GOOD), False)
    expect(b"made by the server" in client.errmsg, True)
    expect(client.setactive("one"), True)
    expect(client.renamescript("one", "two"), True)
    active, others = client.listscripts()
    expect((active, [name for name in others if not name.startswith("posthouse:")]), ("two", []))
    expect(client.getscript("two").replace("\r\n", "\n").strip(), GOOD.replace("\r\n", "\n").strip())
    expect("# [5] personal" in client.getscript(f"posthouse:compiled {user}"), True)
    expect(client.deletescript("two"), False)
    expect(client.setactive(""), True)
    expect(client.deletescript("two"), True)
    client.logout()
