# mail: plain list
require ["variables", "reject"];
if header :matches "subject" "*, *" { reject "${0}|${2}|${1}"; }
