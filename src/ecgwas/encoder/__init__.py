"""Networks: tokens, encoders, decoder, augmentation."""
