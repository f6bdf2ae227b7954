# mail: written
if address :is :all "from" "\"joe doe\"@example.net" { discard; }
