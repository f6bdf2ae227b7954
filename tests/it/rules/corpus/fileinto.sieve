# mail: plain list
require "fileinto";
fileinto "Lists";
