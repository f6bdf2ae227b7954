# mail: plain list
fileinto "Lists";
