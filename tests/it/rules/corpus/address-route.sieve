# mail: written
if address :is "reply-to" "real@example.org" { discard; }
