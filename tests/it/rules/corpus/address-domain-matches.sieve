# mail: plain list
if address :domain :matches "from" "*.example.net" { discard; }
