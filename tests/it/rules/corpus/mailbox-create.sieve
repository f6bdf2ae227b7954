# mail: plain list
require ["mailbox", "fileinto"];
fileinto :create "Made/New";
