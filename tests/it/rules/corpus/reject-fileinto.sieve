# mail: plain list
require ["reject", "fileinto"];
reject "both";
fileinto "Lists";
