# mail: plain list spam
if address :localpart "to" ["rust", "jane"] { discard; }
