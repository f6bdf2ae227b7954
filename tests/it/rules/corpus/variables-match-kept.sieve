# mail: plain
require ["variables", "reject"];
if header :matches "subject" "*o, *" { }
if header :matches "subject" "nothing*" { }
reject "${1}";
