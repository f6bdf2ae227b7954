# mail: plain list
if address :contains "bcc" "" { discard; }
