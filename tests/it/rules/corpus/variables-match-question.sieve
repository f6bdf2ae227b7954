# mail: plain
require ["variables", "reject"];
if header :matches "subject" "?el?o*" { reject "${1}|${2}|${3}"; }
