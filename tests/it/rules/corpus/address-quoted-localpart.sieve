# mail: written
if address :is :localpart "from" "joe doe" { discard; }
