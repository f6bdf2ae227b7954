# mail: plain list
require "regex";
if header :regex "subject" "^\\[[a-z]+\\] Re: .*[0-9]$" { discard; }
