# mail: written
if allof(address :matches :localpart "from" "joe ?oe", address :matches "reply-to" "real@*",
    header :matches "subject" "one two  *") { discard; }
