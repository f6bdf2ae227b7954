# mail: plain
require ["variables", "reject"];
if header :matches "subject" "*l*" { reject "${1}|${2}"; }
