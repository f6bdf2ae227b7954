# mail: plain list
require ["imap4flags", "fileinto"];
fileinto :flags "\\Deleted" "Lists";
