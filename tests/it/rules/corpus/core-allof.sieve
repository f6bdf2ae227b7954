# mail: plain list
if allof (exists ["from", "to"], not exists "list-id") { discard; }
