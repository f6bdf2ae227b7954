# mail: plain list
require ["variables", "reject"];
if not header :matches "subject" "*, *" { discard; }
else { reject "${1}"; }
