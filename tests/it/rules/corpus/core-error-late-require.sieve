# mail: plain list
keep;
require "fileinto";
