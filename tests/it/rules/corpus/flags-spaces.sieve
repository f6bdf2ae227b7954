# mail: plain list
require "imap4flags";
setflag "a b";
addflag "c";
removeflag "b";
keep;
