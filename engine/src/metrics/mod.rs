//! Quality figures: PSNR and SSIM, with the protocols of the published tables.
