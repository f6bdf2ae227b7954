# mail: plain list
require ["fileinto", "copy"];
redirect :copy "a@example.com";
fileinto "Lists";
