"""Tests of rackforge.gpu_cluster, and the lab that gives them nodes."""
