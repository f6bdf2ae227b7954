# mail: plain list
require "fileinto";
fileinto "Entwürfe";
