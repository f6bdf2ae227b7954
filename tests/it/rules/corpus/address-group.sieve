# mail: folded
if address :is "reply-to" "b@example.net" { discard; }
