# mail: plain list
if exists ["subject", "list-id"] { discard; }
