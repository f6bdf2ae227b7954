# mail: plain list
require ["regex"];
if header :regex "subject" ["^x", "(rust|World)"] { discard; }
