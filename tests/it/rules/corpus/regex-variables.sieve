# mail: plain list
require ["regex", "variables", "reject"];
if header :regex "subject" "([A-Z])[a-z]+, (W)" { reject "${1}${2}"; }
