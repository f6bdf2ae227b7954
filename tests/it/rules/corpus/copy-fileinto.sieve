# mail: plain list
require ["fileinto", "copy"];
fileinto :copy "Lists";
