"""SpikeWhaleLM: the family of Escarda-86M and Byrne-86M."""
