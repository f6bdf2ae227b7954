# mail: plain list spam
if anyof (exists "list-id", header :is "subject" "hello, world") { discard; }
