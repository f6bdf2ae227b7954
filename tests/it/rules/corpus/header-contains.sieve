# mail: plain list spam
if header :contains ["to", "cc"] "JANE" { discard; }
