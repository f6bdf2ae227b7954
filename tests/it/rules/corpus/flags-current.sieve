# mail: plain list
require ["imap4flags", "fileinto"];
setflag "a";
fileinto "Lists";
addflag "b";
fileinto "Archive";
