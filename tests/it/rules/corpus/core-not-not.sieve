# mail: plain list
if not not exists "list-id" { discard; }
