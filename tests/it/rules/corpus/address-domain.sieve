# mail: plain list
if address :domain :is ["to", "cc"] "example.org" { discard; }
