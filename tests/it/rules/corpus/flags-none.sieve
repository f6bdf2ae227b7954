# mail: plain list
require ["imap4flags"];
setflag "a";
setflag "";
keep;
