# The endometrial cancer study of Heinze & Schemper 2002 (Stat Med 21:2409) and its Firth estimates by brglm2.
# Debian: apt-get install r-base-core r-cran-brglm2; then Rscript tests/reference/freeze_endometrial.R tests/reference
suppressMessages(library(brglm2))
folder <- commandArgs(trailingOnly = TRUE)[1]
data(endometrial)
write.csv(endometrial[, c("NV", "PI", "EH", "HG")], file.path(folder, "endometrial.csv"), row.names = FALSE, quote = FALSE)
fit <- glm(HG ~ NV + PI + EH, data = endometrial, family = binomial(), method = "brglmFit", type = "AS_mean",
           epsilon = 1e-12, maxit = 1000)
numbers <- summary(fit)$coefficients[, 1:2]
write.csv(data.frame(term = rownames(numbers), beta = numbers[, 1], se = numbers[, 2]),
          file.path(folder, "endometrial_firth.csv"), row.names = FALSE, quote = FALSE)
