"""From raw electrocardiograms and genotypes to fine-mapped loci."""

__version__ = "0.1.0"
