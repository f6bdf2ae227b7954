# mail: plain list
require ["regex"];
if header :regex "subject" "(" { discard; }
