# mail: plain list
if header :matches "subject" "*, W?rld" { discard; }
