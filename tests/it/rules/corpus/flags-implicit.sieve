# mail: plain list
require "imap4flags";
setflag "\\Answered";
