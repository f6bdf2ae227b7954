# mail: plain list
require ["variables", "reject"];
if anyof (header :matches "subject" "nope*", header :matches "subject" "*ell*") { reject "${1}-${2}"; }
