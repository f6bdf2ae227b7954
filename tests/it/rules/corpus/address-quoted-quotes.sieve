# mail: written
if address :matches :all "cc" "*\"x\"*" { discard; }
