# mail: plain list
require ["encoded-character"];
if header "subject" ["x", "${hex:48}ello, World"] { discard; }
