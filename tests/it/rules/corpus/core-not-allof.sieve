# mail: plain list
if not allof (exists "list-id", true) { discard; }
